"""Which edits may mend the findings of which rule; every one is proved by running it."""

from collections.abc import Callable, Iterable, Mapping

from paramscope.check.mends import carried, gradients, order, parts, registering, slopes, training
from paramscope.rules.finding import Finding

# From a finding and the source to (what the edit is called, the source with it).
MendSource = Callable[[Finding, str], Iterable[tuple[str, str]]]

MENDS: Mapping[str, tuple[MendSource, ...]] = {
    "DTY01": (gradients.make_it_float,),
    "FRZ01": (gradients.spell_the_freeze,),
    "FRZ02": (gradients.freeze_by_method,),
    "FRZ03": (parts.unfreeze_the_head,),
    "FRZ04": (gradients.rest_in_training,),
    "FRZ05": (order.forget_the_gradient, order.step_what_trains),
    "GRA01": (gradients.use_the_result,),
    "GRA02": (gradients.keep_the_graph,),
    "GRA03": (
        slopes.choose_along_another_axis,
        slopes.begin_near_zero,
        slopes.begin_one_factor,
    ),
    "GRA04": (order.stay_off_zero,),
    "GRA05": (slopes.use_steeper_units,),
    "GRA06": (slopes.drop_the_scale,),
    "GRA07": (gradients.leave_no_grad,),
    "GRA08": (slopes.choose_softly,),
    "GRA09": (order.begin_with_differences,),
    "GRA10": (gradients.fill, gradients.fill_the_buffer),
    "GRA12": (slopes.leave_the_loss_alone,),
    "INP01": (gradients.without_grad,),
    "INP02": (gradients.out_of_place,),
    "LAZ01": (order.run_once_before, order.run_once_in_build),
    "LOS01": (training.drop_softmax,),
    "LOS02": (training.drop_sigmoid,),
    "LOS03": (training.match_the_shapes,),
    "LOS04": (training.take_the_logarithm,),
    "MOD01": (training.follow_the_mode, training.attend_by_mode, training.drop_by_function),
    "MOD02": (training.train_first,),
    "OPT01": (training.step_it_too,),
    "OPT02": (order.make_the_optimizer_last, training.step_everything),
    "OPT03": (order.make_the_optimizer_last, order.run_once_before),
    "OPT04": (training.step_everything, registering.spell_init),
    "OPT06": (order.divide_exactly,),
    "OPT07": (training.step_everything, order.add_it_once),
    "OPT08": (parts.decay_it_not,),
    "OPT09": (training.clear_before_backward,),
    "OPT10": (training.clear_before_backward,),
    "OPT11": (parts.step_the_other,),
    "REG01": (registering.wrap_in_parameter,),
    "REG03": (registering.hold_parameters,),
    "REG04": (registering.hold_modules,),
    "REG05": (
        registering.calculate_inside,
        registering.calculate_from_a_leaf,
        registering.calculate_when_asked,
    ),
    "REG06": (order.make_it_in_init,),
    "REG07": (registering.derive_from_module,),
    "REG08": (registering.use_a_local_name, registering.copy_into_it),
    "REG09": (registering.init_first,),
    "REG10": (parts.step_what_is_outside,),
    "REG11": (registering.register_buffer,),
    "REG12": (registering.register_parameter,),
    "REG13": (registering.make_each, carried.copy_each),
    "REG14": (registering.share_the_weight,),
    "REG15": (parts.keep_them_all,),
    "STA01": (registering.save_the_buffer,),
    "STA02": (order.strip_the_prefix,),
    "STA03": (carried.detach_the_state,),
    "STA04": (carried.detach_the_state, carried.detach_the_cache),
}
